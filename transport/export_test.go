package transport

// Memory is memory, for tests that play the network.
var Memory = memory
