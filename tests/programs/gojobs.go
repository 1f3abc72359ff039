// Usage: gojobs [SECONDS]
//
// Truth: all work is in main.job, each for about 2 ms in a thread of its own: a goroutine that ends while it
// is locked to its thread takes the thread with it.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

var sink uint64

//go:noinline
func job() {
	x := uint64(1)
	for i := 0; i < 2_000_000; i++ {
		x = x*6364136223846793005 + 1442695040888963407
	}
	sink += x
}

func main() {
	if len(os.Args) > 1 {
		if seconds, _ := strconv.Atoi(os.Args[1]); seconds > 0 {
			time.AfterFunc(time.Duration(seconds)*time.Second, func() { os.Exit(0) })
		}
	}
	fmt.Println("ready")
	for {
		done := make(chan bool)
		go func() {
			runtime.LockOSThread()
			job()
			done <- true
		}()
		<-done
	}
}
