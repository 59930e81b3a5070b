package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// customResource is an entry of a CustomResourceStateMetrics configuration. Only gauges with the path of one value
// are implemented; any other key of the configuration is an error.
type customResource struct {
	GroupVersionKind struct {
		Group   string `json:"group"`
		Version string `json:"version"`
		Kind    string `json:"kind"`
	} `json:"groupVersionKind"`
	ResourcePlural   string              `json:"resourcePlural"`
	MetricNamePrefix *string             `json:"metricNamePrefix"`
	CommonLabels     map[string]string   `json:"commonLabels"`
	LabelsFromPath   map[string][]string `json:"labelsFromPath"`
	Metrics          []struct {
		Name         string            `json:"name"`
		Help         string            `json:"help"`
		CommonLabels map[string]string `json:"commonLabels"`
		Each         struct {
			Type  string `json:"type"`
			Gauge struct {
				Path           []string            `json:"path"`
				ValueFrom      []string            `json:"valueFrom"`
				LabelsFromPath map[string][]string `json:"labelsFromPath"`
				NilIsZero      bool                `json:"nilIsZero"`
			} `json:"gauge"`
		} `json:"each"`
		LabelsFromPath map[string][]string `json:"labelsFromPath"`
		ErrorLogV      int                 `json:"errorLogV"`
	} `json:"metrics"`
	ErrorLogV int `json:"errorLogV"`
}

func parseCustomResources(content []byte) ([]customResource, error) {
	var config struct {
		Kind string `json:"kind"`
		Spec struct {
			Resources []customResource `json:"resources"`
		} `json:"spec"`
	}
	if err := yaml.UnmarshalStrict(content, &config); err != nil {
		return nil, fmt.Errorf("custom resource state: %w", err)
	}
	for _, resource := range config.Spec.Resources {
		for _, metric := range resource.Metrics {
			if metric.Each.Type != "Gauge" {
				format := "custom resource state: %s is a %q: only Gauge is implemented"
				return nil, fmt.Errorf(format, metric.Name, metric.Each.Type)
			}
		}
	}
	return config.Spec.Resources, nil
}

// collect adds the series of all objects. Without the CRD there are none, as in kube-state-metrics.
func (c customResource) collect(ctx context.Context, api *apiServer, out *series) error {
	plural := c.ResourcePlural
	if plural == "" {
		plural = strings.ToLower(c.GroupVersionKind.Kind) + "s"
	}
	var list struct {
		Items []map[string]any `json:"items"`
	}
	err := api.get(ctx, "apis/"+c.GroupVersionKind.Group+"/"+c.GroupVersionKind.Version+"/"+plural, &list)
	if errors.Is(err, errNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, object := range list.Items {
		c.add(object, out)
	}
	return nil
}

func (c customResource) add(object map[string]any, out *series) {
	prefix := "kube_customresource_"
	if c.MetricNamePrefix != nil {
		prefix = *c.MetricNamePrefix
		if prefix != "" {
			prefix += "_"
		}
	}
	for _, metric := range c.Metrics {
		kind := c.GroupVersionKind
		pairs := map[string]string{
			"customresource_group": kind.Group, "customresource_version": kind.Version, "customresource_kind": kind.Kind,
		}
		maps.Copy(pairs, c.CommonLabels)
		maps.Copy(pairs, metric.CommonLabels)
		gauge := metric.Each.Gauge
		target := lookup(object, gauge.Path)
		value, present := gaugeValue(lookup(target, gauge.ValueFrom))
		if !present && !gauge.NilIsZero {
			continue
		}
		for _, paths := range []map[string][]string{c.LabelsFromPath, metric.LabelsFromPath} {
			addLabels(pairs, object, paths)
		}
		addLabels(pairs, target, gauge.LabelsFromPath)
		var flat labels
		for _, name := range slices.Sorted(maps.Keys(pairs)) {
			flat = append(flat, name, pairs[name])
		}
		out.add(prefix+metric.Name, value, flat...)
	}
}

func addLabels(pairs map[string]string, object any, paths map[string][]string) {
	for name, path := range paths {
		if value := lookup(object, path); value != nil {
			pairs[name] = fmt.Sprint(value)
		}
	}
}

func lookup(object any, path []string) any {
	for _, key := range path {
		fields, isObject := object.(map[string]any)
		if !isObject {
			return nil
		}
		object = fields[key]
	}
	return object
}

// gaugeValue converts numbers, booleans and times. A time becomes seconds since 1970.
func gaugeValue(value any) (float64, bool) {
	switch value := value.(type) {
	case float64:
		return value, true
	case bool:
		return number(value), true
	case json.Number:
		result, err := value.Float64()
		return result, err == nil
	case string:
		if moment, err := time.Parse(time.RFC3339, value); err == nil {
			return float64(moment.Unix()), true
		}
		result, err := strconv.ParseFloat(value, 64)
		return result, err == nil
	}
	return 0, false
}
