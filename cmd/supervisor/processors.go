package main

import (
	"os"
	"runtime"
)

// limitProcessors leaves the machine to PHP. What a request costs in Go is mostly waking up and handing over: with as many
// Go processors as cores the idle ones spin in search of work, and take the time from the workers. On two cores one
// processor instead of two takes a fifth off the cost of a request; a quarter of the cores is what one request in Go needs
// beside the workers it keeps busy. Who sets GOMAXPROCS knows better.
func limitProcessors() {
	if os.Getenv("GOMAXPROCS") == "" {
		// The value so far respects the CPU limit of the cgroup.
		runtime.GOMAXPROCS(max(1, runtime.GOMAXPROCS(0)/4))
	}
}
