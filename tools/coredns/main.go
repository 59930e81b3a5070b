// The cluster's DNS: CoreDNS with the plugins that its Corefile in a rehearsal names, and none that would ask a server outside.
package main

import (
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/hosts"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/loadbalance"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/template"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
)

func main() {
	// In the order in which they see a query; the template, which upstream has earlier, answers what all others leave.
	dnsserver.Directives = []string{"errors", "health", "ready", "loadbalance", "hosts", "kubernetes", "template"}
	coremain.Run()
}
