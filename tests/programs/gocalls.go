// Usage: gocalls [SECONDS]
//
// Truth: all work is in C, in a function of main.call, which main.main calls.
package main

/*
#include <stdint.h>

static uint64_t work(uint64_t seed)
{
	volatile uint64_t x = seed;

	for (int i = 0; i < 1000000; i++)
		x = x * 13;
	return x;
}
*/
import "C"

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

//go:noinline
func call(seed uint64) uint64 {
	return uint64(C.work(C.uint64_t(seed))) + 1
}

func main() {
	if len(os.Args) > 1 {
		if seconds, _ := strconv.Atoi(os.Args[1]); seconds > 0 {
			time.AfterFunc(time.Duration(seconds)*time.Second, func() { os.Exit(0) })
		}
	}
	fmt.Println("ready")
	for sum := uint64(1); ; {
		sum = call(sum)
	}
}
