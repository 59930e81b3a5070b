// Command network-policies evaluates Kubernetes NetworkPolicies. It reads policies and connections as JSON and prints
// one boolean per connection: whether it is allowed. The evaluator is that of cyclonus, a tool that tests network
// plugins.
package main

import (
	"encoding/json"
	"log"
	"os"

	"github.com/mattfenwick/cyclonus/pkg/matcher"
	networking "k8s.io/api/networking/v1"
)

type input struct {
	Policies    []*networking.NetworkPolicy
	Connections []*matcher.Traffic
}

func main() {
	var input input
	decoder := json.NewDecoder(os.Stdin)
	// Without this, a misspelled field would be ignored and the policy would allow more or less than it seems to.
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&input); err != nil {
		log.Fatal(err)
	}
	policy := matcher.BuildNetworkPolicies(false, input.Policies)
	allowed := make([]bool, len(input.Connections))
	for i, connection := range input.Connections {
		allowed[i] = policy.IsTrafficAllowed(connection).IsAllowed()
	}
	if err := json.NewEncoder(os.Stdout).Encode(allowed); err != nil {
		log.Fatal(err)
	}
}
