"""The media plane: RTP in and out, jitter, concealment, codecs, pacing, playout, recording.

It runs in a process of its own (`worker`), which the server speaks to through `client`; `link` is their language. Pure
modules (bytes and arrays in, bytes and arrays out, the clock as an argument):

- one packet, one codec, one sound: `frame`, `rtp`, `g711`, `g722`, `codec`, `resample`, `concealment`, `background`,
  `lead_in`, `wav`
- one call: `jitter`, `outlet`, `stream`, `stereo`; `playout` is the server's view of what is being said
- all calls: `rtp_batch`, `plane`, `pacer`, `lateness`

With I/O, and only these: `udp` (the socket), `recording` (disk), `worker`, `client`.
"""
