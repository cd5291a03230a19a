"""The only layer that knows what a call is: routing, legs, the running session, its ending."""
