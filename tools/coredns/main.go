// Command coredns is CoreDNS with the plugins that a rehearsal's Corefile uses, and without those that query DNS
// servers outside the rehearsal.
package main

import (
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/hosts"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/loadbalance"
	_ "github.com/coredns/coredns/plugin/metrics"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/template"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
)

func main() {
	// The order in which plugins handle a query. "template" comes last, unlike in upstream CoreDNS: it answers the
	// queries that no other plugin answers.
	dnsserver.Directives = []string{
		"errors", "health", "ready", "prometheus", "loadbalance", "hosts", "kubernetes", "template",
	}
	coremain.Run()
}
