"""What `asterisk-conf/` is filled in with, from the settings."""

from __future__ import annotations

from ari_assistant.asterisk.instance import InstanceOptions
from ari_assistant.config.hosts import primary_address
from ari_assistant.config.settings import Settings

__all__ = ["callers_address", "instance_options"]


def callers_address(settings: Settings) -> str:
    """The address at which callers reach SIP and RTP."""
    everywhere = settings.sip_host in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
    return primary_address() if everywhere else settings.sip_host


def instance_options(settings: Settings, *, ari_port: int, ari_password: str) -> InstanceOptions:
    """The options of an Asterisk whose HTTP server listens on loopback at `ari_port`."""
    first, last = settings.rtp_range
    return InstanceOptions(
        sip_host=settings.sip_host,
        sip_port=settings.sip_port,
        rtp_first=first,
        rtp_last=last,
        ari_port=ari_port,
        ari_username=settings.ari_username,
        ari_password=ari_password,
        app=settings.ari_app,
        media_address=callers_address(settings),
        external_address=settings.external_address,
        local_networks=tuple(settings.local_networks),
    )
