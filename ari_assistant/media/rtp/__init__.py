"""RTP as arithmetic: packets, jitter, what is sent when. Pure: no socket, no clock."""
