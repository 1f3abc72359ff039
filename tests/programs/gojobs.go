// Usage: gojobs [SECONDS [MICROSECONDS]]
//
// Truth: all work is in main.job, each for about MICROSECONDS (2000) in a thread of its own: a goroutine that
// ends while it is locked to its thread takes the thread with it.
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
func job(microseconds int) {
	x := uint64(1)
	for i := 0; i < 1_000*microseconds; i++ {
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
	microseconds := 2_000
	if len(os.Args) > 2 {
		microseconds, _ = strconv.Atoi(os.Args[2])
	}
	fmt.Println("ready")
	for {
		done := make(chan bool)
		go func() {
			runtime.LockOSThread()
			job(microseconds)
			done <- true
		}()
		<-done
	}
}
