"""The media plane: RTP, G.711, reordering, pacing, playout, recording.

Pure modules (bytes and arrays in, bytes and arrays out, the clock as an argument): `frame`, `g711`, `rtp`,
`reorder`, `pacer`, `playout`, `stereo`. With I/O, and only these: `port` (UDP), `ticker` (the one tick of all
calls), `recording` (disk).
"""
