"""Tools of the tests: scripted providers, tones, fakes that speak on real sockets."""
