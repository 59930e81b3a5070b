// Command pod-security judges pods by Pod Security Standard "restricted", as the API server does: it is the API server's own
// code. It reads a JSON array of pod templates and prints, for each, what it violates; an empty string is a good pod.
package main

import (
	"encoding/json"
	"log"
	"os"

	core "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

func main() {
	var templates []core.PodTemplateSpec
	decoder := json.NewDecoder(os.Stdin)
	// A misspelt field would otherwise read as one that was left out.
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&templates); err != nil {
		log.Fatal(err)
	}
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks())
	if err != nil {
		log.Fatal(err)
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	violations := make([]string, len(templates))
	for number, template := range templates {
		found := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &template.ObjectMeta, &template.Spec))
		if !found.Allowed {
			violations[number] = found.ForbiddenDetail()
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(violations); err != nil {
		log.Fatal(err)
	}
}
