"""The command `ari-assistant`."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import structlog
from rich.console import Console

from ari_assistant import __version__
from ari_assistant.asterisk.instance import new_password, render_instance
from ari_assistant.asterisk.obtain import AsteriskBinary
from ari_assistant.config.instance import instance_options
from ari_assistant.config.ports import make_data_dir
from ari_assistant.config.settings import Settings, load_settings
from ari_assistant.fault import Fault, faults_in
from ari_assistant.private_files import keep_private, private_directory
from ari_assistant.start_screen import StartScreen
from ari_assistant.telemetry import LogStream, configure_logging, get_logger

if TYPE_CHECKING:
    from ari_assistant.store.api_keys import ApiKeys

__all__ = ["main"]

Result = TypeVar("Result")


def _settings() -> tuple[Settings, LogStream]:
    """The settings, and where the log goes."""
    keep_private()
    settings = load_settings()
    return settings, configure_logging(level=settings.log_level, json_lines=settings.log_json)


def _told(fault: Fault) -> str:
    return f"{fault}\n  What to do: {fault.cure}." if fault.cure else str(fault)


class _Commands(click.Group):
    """The one place where what the operator can put right is said: a sentence and its cure instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """See click."""
        try:
            return super().invoke(ctx)
        except (Fault, BaseExceptionGroup) as raised:
            faults = list(faults_in(raised))
            if not faults:
                raise
            if structlog.is_configured():
                get_logger("cli").debug("ended_by_a_fault", exc_info=raised)
            raise click.ClickException("\n".join(dict.fromkeys(map(_told, faults)))) from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
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
    from ari_assistant.server.server import Server

    settings, log_stream = _settings()
    screen = StartScreen(log_stream)

    async def serve() -> None:
        await Server(settings, screen).run()

    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(serve())
    finally:
        screen.close()


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
        raise Fault("pjsua2 is not installed", cure=missing_phone_cure())
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
    """Talk to ASSISTANT (an id, a name, or what is dialled, of the assistants file or made by the API) by typing.

    No telephone, no speech, no tools: what a tool answers is asked for.
    """
    from ari_assistant.chat import chat as hold

    settings = load_settings()
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
    except KeyboardInterrupt:
        sys.exit(130)


@main.command()
def doctor() -> None:
    """Check what a call needs: packages, models, Asterisk, ports, ARI, disk, memory, configuration."""
    from ari_assistant.doctor import examine

    settings, _ = _settings()
    console = Console(highlight=False)
    whole = not console.is_terminal  # for grep
    findings = asyncio.run(examine(settings))
    for finding in findings:
        mark = (
            "[green]ok[/]  " if finding.cure is None else ("[red]no[/]  " if finding.fatal else "[yellow]hm[/]  ")
        )
        console.print(f"{mark}{finding.what}: ", end="")
        console.print(finding.text, markup=False, soft_wrap=whole)
        if finding.cure is not None:
            console.print(f"      cure: {finding.cure}", markup=False, soft_wrap=whole)
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
    settings, _ = _settings()
    path = directory / "ari-password"
    try:
        private_directory(directory)
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
    except OSError as fault:
        raise Fault(
            f"{fault.filename or directory} cannot be written: {fault.strerror}",
            cure=f"name another directory, or let the user with the id {os.getuid()} write there",
        ) from None


@main.command("fetch-models")
def fetch_models() -> None:
    """Get the end-of-turn model (8.7 MB, out of the wheel pipecat-ai). `make run` does it."""
    from ari_assistant.providers.smart_turn import fetch

    click.echo(str(fetch()))


@main.group()
def key() -> None:
    """The API's keys: private ones for programs, public ones for browsers. The server keeps only their hashes."""


def _with_keys(work: Callable[[ApiKeys], Awaitable[Result]]) -> Result:
    from ari_assistant.store.api_keys import ApiKeys
    from ari_assistant.store.database import migrate, open_database

    settings, _ = _settings()
    make_data_dir(settings.data_dir)

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
