"""What `dead_code.py` is not to report: names that our own code does not use, because somebody else does.

An entry needs its reason. When what it names goes, the entry goes too.
"""

# pydantic and pydantic-settings read these, by name.
_.model_config
_.settings_customise_sources
_.prepare_field_value
settings_customise_sources.env_settings
settings_customise_sources.dotenv_settings
settings_customise_sources.file_secret_settings
prepare_field_value.field_name
prepare_field_value.value_is_complex

# JSON that is made of all fields of an object.
_.orgId  # api/crud.py: the description of a stored resource
_.createdAt
_.updatedAt
_.delivered  # webhooks/sender.py: WebhookCounters, told by GET /health
_.retried

# liquid asks its templates' classes and environments for these.
_.node_class
_.context_class
_.template_class
_.loop_iteration_limit
_.output_stream_limit
_.local_namespace_limit

# PJSIP calls these, and reads what is set.
_.onEof2
_.onCallState
_.onDtmfDigit
_.onCallRedirected
_.onCallMediaState
_.consoleLevel
_.threadCnt
_.mainThreadOnly
_.userAgent
_.clockRate
_.sndClockRate
_.noVad
_.ecTailLen
_.idUri
_.registerOnAdd
_.videoCount
_.hName
_.hValue

# onnxruntime reads its options.
_.intra_op_num_threads
_.inter_op_num_threads
_.log_severity_level

# asyncio, io and a peer of the benchmarks call these.
_.connection_made
_.datagram_received
_.writable
_.on_dtmf

# The kernel writes where these arrays lie: the attributes keep them alive.
_._out_vectors
_._in_vectors

# RtpPacket is read by us and built by the far end, which the tests and benchmarks play: each half proves the other.
_.serialize

# The keys of the softphone: ours has no keyboard yet, the end-to-end tests press them.
_.dial

# conversation/core.py: whoever joins a call as a listener; no way in exists yet.
_.LISTENS
