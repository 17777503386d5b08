// Command child is the program that the kit's own tests start.
package main

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	fmt.Printf("args %q SETTING=%q SECRET_KEY=%q\n", os.Args[1:], os.Getenv("SETTING"), os.Getenv("SECRET_KEY"))
	fmt.Fprintln(os.Stderr, "level=INFO msg=ready pid="+fmt.Sprint(os.Getpid()))
	if len(os.Args) > 2 && os.Args[1] == "serve" {
		go func() {
			err := http.ListenAndServe(os.Args[2], http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusNoContent)
			}))
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}()
	}
	if len(os.Args) > 1 && os.Args[1] == "fail" {
		fmt.Fprintln(os.Stderr, "last words")
		os.Exit(7)
	}
	<-stop
	fmt.Println("bye")
}
