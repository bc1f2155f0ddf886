package party

import "runtime"

// spare is how many goroutines of the process run besides those that compute
// material by homomorphic encryption: the one of oblivious transfers, and those
// of sessions and the network.
const spare = 3

// TakeProcess adjusts the process, which runs nothing but this party, so that
// what arrives is served at once while all processors make material. Go looks
// at its connections where it finds nothing else to run, or every 10 ms; so it
// gets more threads than there are processors, and the kernel, which wakes a
// thread for a message and stops another, decides between them. Call it before
// [Party.Run].
func (p *Party) TakeProcess() {
	p.workers = runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(p.workers + spare)
}
