"""The media plane: RTP in and out, jitter, pacing, playing, recording. What one sound or codec is, `audio` knows.

- `rtp`: pure. Bytes, arrays and the time come in as arguments, bytes and arrays go out. One packet (`packet`), one call
  (`jitter_buffer`, `send_queue`, `stream`), all calls (`packet_rows`, `plane`, `pacer`).
- `process`: the process that does it, so that nothing of the server makes a packet late (`worker`, its socket `udp`,
  the disk's thread `recorder`), the server's side of it (`client`) and their language (`protocol`).
- `websocket`: the other transport, over Asterisk's HTTP server.
- `handle`: what both transports are to a call.
"""
