// pause does nothing, and buries the dead. It is process 1 of a test node, and it keeps a pod's namespaces while the
// pod's containers come and go.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	died := make(chan os.Signal, 1)
	signal.Notify(died, syscall.SIGCHLD)
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGINT, syscall.SIGTERM)
	for {
		select {
		case <-asked:
			return
		case <-died:
			for {
				if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 && err != syscall.EINTR {
					break
				}
			}
		}
	}
}
