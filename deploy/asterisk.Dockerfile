# Asterisk 22 as Debian packages it. The configuration is asterisk-conf/, filled in by the service `configure`.
# A mirror or a dated snapshot older than the suite's Valid-Until: --build-arg APT_OPTIONS=-oAcquire::Check-Valid-Until=false
ARG BASE=debian:forky-slim
FROM ${BASE}
ARG APT_OPTIONS=
RUN apt-get ${APT_OPTIONS} update \
 && apt-get install -y --no-install-recommends asterisk \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --no-create-home --uid 5060 assistant
# One path for the modules on every architecture: the rendered asterisk.conf names it.
RUN ln -sfn "$(dirname "$(find /usr/lib -name chan_pjsip.so | head -n 1)")" /usr/lib/asterisk-modules
USER assistant
CMD ["asterisk", "-f", "-C", "/asterisk/etc/asterisk.conf"]
