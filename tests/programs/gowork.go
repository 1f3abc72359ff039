// Usage: gowork [SECONDS [KIND]]
//
// Truth, by KIND:
//
// calls    half of the samples have main.closures below main.main, half main.recurse at its full depth
//
//	of 20 calls; both spin in main.burn
//
// spawn    all of that in goroutines: each stack ends in runtime.goexit
// garbage  most time is in the garbage collector, on stacks of its own
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

const unit = 100_000
const depth = 20

var sink uint64
var kept [][]*uint64

//go:noinline
func burn(iterations uint64) uint64 {
	x := iterations | 1
	for i := uint64(0); i < iterations; i++ {
		x = x*6364136223846793005 + 1442695040888963407
	}
	return x
}

//go:noinline
func apply(function func(uint64) uint64, argument uint64) uint64 {
	return function(argument) + 1
}

//go:noinline
func closures() {
	offset := sink & 1
	sink += apply(func(n uint64) uint64 { return burn(n) ^ offset }, unit)
}

//go:noinline
func recurse(n int) uint64 {
	if n > 1 {
		return recurse(n-1) + 1
	}
	return burn(unit) + 1
}

//go:noinline
func calls() {
	closures()
	sink += recurse(depth)
}

//go:noinline
func spawn() {
	done := make(chan bool)
	go func() {
		calls()
		done <- true
	}()
	<-done
}

//go:noinline
func garbage() {
	made := make([]*uint64, 1000)
	for i := range made {
		made[i] = new(uint64)
	}
	kept = append(kept, made)
	if len(kept) > 500 {
		kept = kept[1:]
	}
}

func main() {
	kinds := map[string]func(){"calls": calls, "spawn": spawn, "garbage": garbage}
	run := calls
	if len(os.Args) > 2 {
		run = kinds[os.Args[2]]
	}
	if len(os.Args) > 1 {
		if seconds, _ := strconv.Atoi(os.Args[1]); seconds > 0 {
			time.AfterFunc(time.Duration(seconds)*time.Second, func() { os.Exit(0) })
		}
	}
	fmt.Println("ready")
	for {
		run()
	}
}
