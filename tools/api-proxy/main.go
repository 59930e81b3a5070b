// Command api-proxy accepts connections on addresses of a node and forwards them to the control plane, which runs next
// to the nodes of a rehearsal: `api-proxy LISTEN=TARGET…`. In production, each server of k3s listens on these ports.
package main

import (
	"log"
	"os"
	"strings"

	"github.com/inetaf/tcpproxy"
)

func main() {
	log.SetFlags(0)
	var proxy tcpproxy.Proxy
	for _, argument := range os.Args[1:] {
		listen, target, found := strings.Cut(argument, "=")
		if !found {
			log.Fatalf("%q: expected LISTEN=TARGET, for example 192.0.2.1:6443=198.18.0.1:6443", argument)
		}
		proxy.AddRoute(listen, tcpproxy.To(target))
	}
	log.Fatal(proxy.Run())
}
