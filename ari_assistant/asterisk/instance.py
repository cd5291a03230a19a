"""An instance directory: `asterisk-conf/` filled in for one running Asterisk."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from ari_assistant.asterisk.obtain import AsteriskBinary, AsteriskFault
from ari_assistant.private_files import make_private, private_directory

__all__ = ["NEEDED_MODULES", "SYSTEM_NAME", "InstanceOptions", "conf_dir", "new_password", "render_instance"]

SYSTEM_NAME = "ari-assistant"
"""By which an Asterisk says that we have configured it."""
NEEDED_MODULES = (
    "chan_pjsip", "res_pjsip", "res_pjsip_header_funcs", "res_rtp_asterisk", "chan_rtp", "res_ari_channels",
    "app_stasis", "app_stack", "func_channel", "func_strings", "func_uri",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class InstanceOptions:
    """What the configuration is filled in with."""

    sip_host: str
    sip_port: int
    rtp_first: int
    rtp_last: int
    ari_port: int
    ari_username: str
    ari_password: str
    app: str
    media_address: str | None = None
    """What callers are told to send RTP to, and what RTP is bound to; None leaves it to Asterisk."""
    external_address: str | None = None
    local_networks: tuple[str, ...] = field(default=())
    ari_host: str = "127.0.0.1"
    system_name: str = SYSTEM_NAME


def new_password() -> str:
    """A password that nobody has seen."""
    return secrets.token_urlsafe(24)


def conf_dir() -> Path:
    """`asterisk-conf/`: of the checkout, else the copy in the installed package."""
    checkout = Path(__file__).resolve().parents[2] / "asterisk-conf"
    return checkout if checkout.is_dir() else Path(__file__).resolve().parent / "conf"


def render_instance(directory: Path, binary: AsteriskBinary, options: InstanceOptions) -> Path:
    """Fill in the configuration below `directory` and return the path of its `asterisk.conf`.

    Files hold a password: only their owner may read them. A module that this Asterisk does not have is
    left out; modules in another container are not looked at. Raises AsteriskFault when one is lacking that
    nothing works without.
    """
    present = {path.stem for path in binary.modules.glob("*.so")} if binary.modules.is_dir() else None
    lacking = [module for module in NEEDED_MODULES if present is not None and module not in present]
    if lacking:
        raise AsteriskFault(
            f"{binary.command[0]} has no {', '.join(f'{module}.so' for module in lacking)} in {binary.modules}",
            cure="install them (Debian: asterisk-modules), or set ARI_ASSISTANT_ASTERISK=private",
        )
    directory = directory.resolve()
    for name in ("etc", "lib/keys", "lib/agi-bin", "spool", "log", "run", "cache"):
        private_directory(directory / name)
    make_private([directory])
    words = {
        "INSTANCE": str(directory),
        "MODULES": str(binary.modules),
        "DATA": str(binary.data),
        "SYSTEM_NAME": options.system_name,
        "SIP_BIND": f"{_bracketed(options.sip_host)}:{options.sip_port}",
        "NAT": _nat(options),
        "MEDIA_ADDRESS": _media_address(options),
        "APP": options.app,
        "ARI_HOST": options.ari_host,
        "ARI_PORT": str(options.ari_port),
        "ARI_USERNAME": options.ari_username,
        "ARI_PASSWORD": options.ari_password,
        "RTP_FIRST": str(options.rtp_first),
        "RTP_LAST": str(options.rtp_last),
    }
    for template in sorted(conf_dir().glob("*.conf")):
        text = template.read_text(encoding="utf-8")
        if template.name == "modules.conf" and present is not None:
            text = _only_present(text, present)
        target = directory / "etc" / template.name
        target.touch(mode=0o600)
        target.write_text(_fill(text, words, template.name), encoding="utf-8")
    return directory / "etc" / "asterisk.conf"


def _fill(text: str, words: dict[str, str], name: str) -> str:
    def word(match: re.Match[str]) -> str:
        value = words.get(match[1])
        if value is None:
            raise AsteriskFault(f"asterisk-conf/{name} has an unknown word @{match[1]}@", cure="correct the file")
        return value

    return re.sub(r"@([A-Z_]+)@", word, text)


def _only_present(text: str, present: set[str]) -> str:
    kept = []
    for line in text.splitlines():
        match = re.match(r"load\s*=\s*(\w+)\.so", line)
        kept.append(line if match is None or match[1] in present else f"; not in this Asterisk: {match[1]}.so")
    return "\n".join(kept) + "\n"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _nat(options: InstanceOptions) -> str:
    if options.external_address is None:
        return "; no NAT (ARI_ASSISTANT_EXTERNAL_ADDRESS)"
    lines = [
        f"external_signaling_address = {options.external_address}",
        f"external_media_address = {options.external_address}",
        *(f"local_net = {network}" for network in options.local_networks),
    ]
    return "\n".join(lines)


def _media_address(options: InstanceOptions) -> str:
    """RTP that is bound to all addresses makes Asterisk look up its own host name in every call (a stall where
    DNS is broken): name the address."""
    if options.media_address is None:
        return "; RTP is bound to all addresses"
    return f"media_address = {options.media_address}\nbind_rtp_to_media_address = yes"
