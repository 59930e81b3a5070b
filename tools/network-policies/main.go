// Command network-policies answers what Kubernetes NetworkPolicies allow. It reads policies and connections as JSON and
// prints one boolean per connection. The verdicts are those of cyclonus, which was written to test network plugins.
package main

import (
	"encoding/json"
	"log"
	"os"

	"github.com/mattfenwick/cyclonus/pkg/matcher"
	networking "k8s.io/api/networking/v1"
)

type question struct {
	Policies    []*networking.NetworkPolicy
	Connections []*matcher.Traffic
}

func main() {
	var asked question
	decoder := json.NewDecoder(os.Stdin)
	// A field that the API does not know would otherwise be a policy that says less than it seems to.
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&asked); err != nil {
		log.Fatal(err)
	}
	policy := matcher.BuildNetworkPolicies(false, asked.Policies)
	allowed := make([]bool, len(asked.Connections))
	for number, connection := range asked.Connections {
		allowed[number] = policy.IsTrafficAllowed(connection).IsAllowed()
	}
	if err := json.NewEncoder(os.Stdout).Encode(allowed); err != nil {
		log.Fatal(err)
	}
}
