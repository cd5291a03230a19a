"""The command `ari-assistant`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from ari_assistant import __version__
from ari_assistant.ari.errors import AriError
from ari_assistant.asterisk.instance import new_password, render_instance
from ari_assistant.asterisk.obtain import AsteriskBinary, AsteriskFault
from ari_assistant.config.assistants_file import AssistantsFileFault
from ari_assistant.config.instance import instance_options
from ari_assistant.config.settings import Settings, SettingsFault, load_settings
from ari_assistant.telemetry import configure_logging, get_logger

if TYPE_CHECKING:
    from ari_assistant.store.api_keys import ApiKeys

__all__ = ["main"]

Result = TypeVar("Result")

log = get_logger("cli")


class _StartProgress:
    """Bars in a terminal, a line a step otherwise."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._told: set[str] = set()

    def __call__(self, what: str, done: int, total: int) -> None:
        if not self._console.is_terminal:
            if what not in self._told:
                self._told.add(what)
                log.info("progress", step=what)
            return
        if self._bars is None:
            columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
            self._bars = Progress(*columns, console=self._console, transient=True)
            self._bars.start()
        if what not in self._tasks:
            for task in self._tasks.values():  # a step begins when the one before it is done
                self._bars.update(task, completed=1, total=1)
            self._tasks[what] = self._bars.add_task(what, total=total or None)
        self._bars.update(self._tasks[what], completed=done, total=total or None)

    def close(self) -> None:
        """Take the bars away."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None
            self._tasks.clear()


def _settings() -> Settings:
    try:
        settings = load_settings()
    except SettingsFault as fault:
        raise click.ClickException(str(fault)) from None
    configure_logging(level=settings.log_level, json_lines=settings.log_json)
    return settings


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """A self-hosted voice assistant for Asterisk, with Vapi's API."""


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's event loop where it is installed, else asyncio's own."""
    if find_spec("uvloop") is None:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = import_module("uvloop").new_event_loop
    return factory


@main.command()
def run() -> None:
    """Start the assistant, with an Asterisk of its own unless ARI_ASSISTANT_ASTERISK names one.

    Stays in the foreground until Ctrl-C or SIGTERM. Prints a line that starts with "Dial sip:" once a call
    would be answered.
    """
    from ari_assistant.server import Server, StartFault

    settings = _settings()
    progress = _StartProgress()

    def announce(line: str) -> None:
        progress.close()
        click.echo(line)
        sys.stdout.flush()

    async def serve() -> None:
        await Server(settings, progress=progress, announce=announce).run()

    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(serve())
    except (StartFault, AsteriskFault) as fault:
        progress.close()
        raise click.ClickException(f"{fault}\n  What to do: {fault.cure}.") from None
    except (AssistantsFileFault, AriError) as fault:
        progress.close()
        raise click.ClickException(str(fault)) from None
    finally:
        progress.close()


@main.command()
@click.argument("uri")
@click.option("--header", "-H", "headers", multiple=True, help="A header of the INVITE: 'X-First_Name: John'.")
@click.option("--play", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="A WAV file (16 bit, mono) to say; may be repeated.")  # fmt: skip
@click.option("--say", multiple=True, help="A text to say; may be repeated.")
@click.option("--seconds", default=60.0, show_default=True, help="Hang up after so long.")
@click.option("--record", default="call.wav", show_default=True, type=click.Path(path_type=Path),
              help="Where the stereo recording goes.")  # fmt: skip
@click.option("--from", "caller", help="The From header: '\"John\" <sip:john@example.org>'.")
@click.option("--codec", help="Offer only this codec: PCMU, PCMA or G722.")
@click.option("--tcp", is_flag=True, help="SIP over TCP.")
@click.option("--auth", help="user:password, for a number that asks for them.")
def call(
    uri: str,
    headers: tuple[str, ...],
    play: tuple[Path, ...],
    say: tuple[str, ...],
    seconds: float,
    record: Path,
    caller: str | None,
    codec: str | None,
    tcp: bool,
    auth: str | None,
) -> None:
    """Call URI from the terminal, print both sides live, keep the recording.

    Without --play and --say in a terminal, what you type is spoken, a line at a time.
    """
    from ari_assistant.phone import missing_phone_cure
    from ari_assistant.phone.command import CallPlan
    from ari_assistant.phone.command import call as hold
    from ari_assistant.phone.line import CallFailed
    from ari_assistant.providers.errors import ProviderError

    configure_logging(level="warning")
    for header in headers:
        if ":" not in header:
            raise click.BadParameter(f"{header!r} has no colon: write 'Name: value'", param_hint="--header")
    if find_spec("pjsua2") is None:
        raise click.ClickException(f"pjsua2 is not installed\n  What to do: {missing_phone_cure()}.")
    console = Console(highlight=False)
    styles = {"you": "cyan", "assistant": "green", "": "dim"}

    def show(who: str, text: str) -> None:
        console.print(f"{who + ': ' if who else ''}{text}", style=styles[who], markup=False)

    plan = CallPlan(
        uri=uri,
        headers=headers,
        play=play,
        say=say,
        seconds=seconds,
        record=record,
        caller=caller,
        codec=codec,
        tcp=tcp,
        auth=auth,
        interactive=not play and not say and sys.stdin.isatty(),
    )
    try:
        sys.exit(asyncio.run(hold(plan, show)))
    except (CallFailed, ProviderError) as fault:
        raise click.ClickException(str(fault)) from None
    except KeyboardInterrupt:
        sys.exit(130)


@main.command()
@click.argument("assistant")
@click.option("--variable", "-v", "pairs", multiple=True, help="A template variable: first_name=John.")
def chat(assistant: str, pairs: tuple[str, ...]) -> None:
    """Talk to ASSISTANT (an id or a name, of the assistants file or made by the API) by typing.

    No telephone, no speech, no tools: what a tool answers is asked for.
    """
    from ari_assistant.chat import ChatFault
    from ari_assistant.chat import chat as hold

    settings = _settings()
    configure_logging(level="warning")
    variables = dict(pair.partition("=")[::2] for pair in pairs)
    console = Console(highlight=False)
    terminal = sys.stdin.isatty()
    styles = {"assistant": "green", "tool": "magenta", "note": "dim"}

    def show(who: str, text: str) -> None:
        line = f"{who}: {text}" if who != "note" else f"({text})"
        console.print(line, style=styles[who], markup=False, soft_wrap=True)

    def lines() -> Iterator[str]:
        while True:
            try:
                line = input("you: " if terminal else "")
            except EOFError:
                return
            if not terminal:
                console.print(f"you: {line}", style="cyan", markup=False)
            yield line

    def ask(question: str) -> str:
        try:
            return input(f"{question}: ")
        except EOFError:
            return ""

    try:
        asyncio.run(hold(settings, assistant, variables=variables, lines=lines(), show=show, ask=ask))
    except (ChatFault, AssistantsFileFault) as fault:
        raise click.ClickException(str(fault)) from None
    except KeyboardInterrupt:
        sys.exit(130)


@main.command()
def doctor() -> None:
    """Check what a call needs: packages, models, Asterisk, ports, ARI, disk, memory, configuration."""
    from ari_assistant.doctor import examine

    settings = _settings()
    console = Console(highlight=False)
    findings = asyncio.run(examine(settings))
    for finding in findings:
        mark = (
            "[green]ok[/]  " if finding.cure is None else ("[red]no[/]  " if finding.fatal else "[yellow]hm[/]  ")
        )
        console.print(f"{mark}{finding.what}: ", end="")
        console.print(finding.text, markup=False)
        if finding.cure is not None:
            console.print(f"      cure: {finding.cure}", markup=False)
    if any(finding.cure is not None and finding.fatal for finding in findings):
        sys.exit(1)


@main.command("render-asterisk")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--modules", default="/usr/lib/asterisk/modules", show_default=True,
              type=click.Path(path_type=Path), help="astmoddir where that Asterisk runs.")  # fmt: skip
@click.option("--data", default="/usr/share/asterisk", show_default=True,
              type=click.Path(path_type=Path), help="astdatadir where that Asterisk runs.")  # fmt: skip
def render_asterisk(directory: Path, modules: Path, data: Path) -> None:
    """Fill in asterisk-conf/ for an Asterisk that runs elsewhere (the compose stack's), below DIRECTORY.

    The ARI password is ARI_ASSISTANT_ARI_PASSWORD, or a new one, kept in DIRECTORY/ari-password.
    """
    settings = _settings()
    path = directory / "ari-password"
    directory.mkdir(parents=True, exist_ok=True)
    if settings.ari_password is not None:
        password = settings.ari_password.get_secret_value()
    elif path.is_file():
        password = path.read_text().strip()
    else:
        password = new_password()
    path.touch(mode=0o600)
    path.write_text(password + "\n")
    binary = AsteriskBinary(("asterisk",), "", modules, data)
    options = instance_options(settings, ari_port=settings.ari_port or 8088, ari_password=password)
    click.echo(str(render_instance(directory, binary, options)))


@main.command("fetch-models")
def fetch_models() -> None:
    """Get the end-of-turn model (8.7 MB, out of the wheel pipecat-ai). `make run` does it."""
    from ari_assistant.providers.smart_turn import FetchFailed, fetch

    try:
        click.echo(str(fetch()))
    except FetchFailed as fault:
        raise click.ClickException(f"{fault}\n  What to do: check pip's index and the network.") from None


@main.group()
def key() -> None:
    """The API's keys: private ones for programs, public ones for browsers. The server keeps only their hashes."""


def _with_keys(work: Callable[[ApiKeys], Awaitable[Result]]) -> Result:
    from ari_assistant.store.api_keys import ApiKeys
    from ari_assistant.store.database import migrate, open_database

    settings = _settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)

    async def run() -> Result:
        await migrate(settings.database)
        engine = open_database(settings.database)
        try:
            return await work(ApiKeys(engine))
        finally:
            await engine.dispose()

    return asyncio.run(run())


@key.command("create")
@click.option("--public", is_flag=True, help="A public key instead of a private one.")
@click.option("--name", default="", help="What it is for.")
def create_key(public: bool, name: str) -> None:
    """Make a key and print it: it cannot be shown again. A running server takes it at once."""
    made, text = _with_keys(lambda keys: keys.create("public" if public else "private", name[:80]))
    click.echo(f"{made.id}  {made.kind}", err=True)
    click.echo(text)


@key.command("list")
def list_keys() -> None:
    """All keys, without the keys themselves."""
    for one in _with_keys(lambda keys: keys.list()):
        state = f"revoked {one.revoked_at}" if one.revoked_at else "good"
        click.echo(f"{one.id}  {one.kind:7}  {one.created_at}  {state}  {one.name}")


@key.command("revoke")
@click.argument("key_id")
def revoke_key(key_id: str) -> None:
    """Make the key with the id KEY_ID useless. A running server forgets it within a second."""
    if not _with_keys(lambda keys: keys.revoke(key_id)):
        raise click.ClickException(f"no good key has the id {key_id}: `ari-assistant key list` shows them")
