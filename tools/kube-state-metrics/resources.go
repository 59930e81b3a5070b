package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
)

// collector adds the series of all objects of a resource.
type collector func(context.Context, *apiServer, *series) error

// resources contains the collector of each value of --resources.
var resources = map[string]collector{
	"cronjobs":                 collect("apis/batch/v1", "cronjobs", true, cronJobs),
	"daemonsets":               collect("apis/apps/v1", "daemonsets", true, daemonSets),
	"deployments":              collect("apis/apps/v1", "deployments", true, deployments),
	"horizontalpodautoscalers": collect("apis/autoscaling/v2", "horizontalpodautoscalers", true, autoscalers),
	"jobs":                     collect("apis/batch/v1", "jobs", true, jobs),
	"nodes":                    collect("api/v1", "nodes", false, nodes),
	"persistentvolumeclaims":   collect("api/v1", "persistentvolumeclaims", true, claims),
	"pods":                     collect("api/v1", "pods", true, pods),
	"statefulsets":             collect("apis/apps/v1", "statefulsets", true, statefulSets),
}

var statuses = []string{"true", "false", "unknown"}

func collect[List any](group, resource string, namespaced bool, add func(List, *series)) collector {
	return func(ctx context.Context, api *apiServer, out *series) error {
		var list List
		if err := api.list(ctx, group, resource, namespaced, &list); err != nil {
			return err
		}
		add(list, out)
		return nil
	}
}

func resourceNames() []string { return slices.Sorted(maps.Keys(resources)) }

func selectResources(names string) ([]string, error) {
	selected := strings.Split(names, ",")
	for _, name := range selected {
		if resources[name] == nil {
			return nil, fmt.Errorf("--resources: no series of %q, only of %s", name, strings.Join(resourceNames(), ", "))
		}
	}
	return selected, nil
}

func nodes(list core.NodeList, out *series) {
	for _, node := range list.Items {
		name := labels{"node", node.Name}
		out.add("kube_node_info", 1, append(name, "kubelet_version", node.Status.NodeInfo.KubeletVersion)...)
		out.addTime("kube_node_created", node.CreationTimestamp.Time, name...)
		out.add("kube_node_spec_unschedulable", number(node.Spec.Unschedulable), name...)
		for _, condition := range node.Status.Conditions {
			pairs := append(slices.Clone(name), "condition", string(condition.Type))
			out.addEach("kube_node_status_condition", "status", strings.ToLower(string(condition.Status)), statuses, pairs...)
		}
		quantities("kube_node_status_allocatable", name, node.Status.Allocatable, out)
		quantities("kube_node_status_capacity", name, node.Status.Capacity, out)
	}
}

var units = map[core.ResourceName]string{
	core.ResourceCPU:              "core",
	core.ResourceMemory:           "byte",
	core.ResourceEphemeralStorage: "byte",
	core.ResourcePods:             "integer",
}

// quantities adds a sample for each resource with a known unit.
func quantities(metric string, pairs labels, list core.ResourceList, out *series) {
	for _, resource := range slices.Sorted(maps.Keys(list)) {
		if unit, known := units[resource]; known {
			quantity, name := list[resource], strings.ReplaceAll(string(resource), "-", "_")
			out.add(metric, quantity.AsApproximateFloat64(), append(slices.Clone(pairs), "resource", name, "unit", unit)...)
		}
	}
}

var phases = []string{"Pending", "Succeeded", "Failed", "Unknown", "Running"}

func pods(list core.PodList, out *series) {
	for _, pod := range list.Items {
		name := labels{"namespace", pod.Namespace, "pod", pod.Name, "uid", string(pod.UID)}
		out.add("kube_pod_info", 1, append(slices.Clone(name), "node", pod.Spec.NodeName, "pod_ip", pod.Status.PodIP)...)
		out.addTime("kube_pod_created", pod.CreationTimestamp.Time, name...)
		out.addEach("kube_pod_status_phase", "phase", string(pod.Status.Phase), phases, name...)
		for _, condition := range pod.Status.Conditions {
			status := strings.ToLower(string(condition.Status))
			switch condition.Type {
			case core.PodReady:
				out.addEach("kube_pod_status_ready", "condition", status, statuses, name...)
			case core.PodScheduled:
				out.addEach("kube_pod_status_scheduled", "condition", status, statuses, name...)
			}
		}
		images := map[string]string{}
		for _, container := range pod.Spec.Containers {
			images[container.Name] = container.Image
			pairs := append(slices.Clone(name), "container", container.Name, "node", pod.Spec.NodeName)
			quantities("kube_pod_container_resource_requests", pairs, container.Resources.Requests, out)
			quantities("kube_pod_container_resource_limits", pairs, container.Resources.Limits, out)
		}
		containers("kube_pod_container", name, pod.Status.ContainerStatuses, out)
		for _, status := range pod.Status.ContainerStatuses {
			out.add("kube_pod_container_info", 1, append(slices.Clone(name), "container", status.Name,
				"image_spec", images[status.Name], "image", status.Image, "image_id", status.ImageID,
				"container_id", status.ContainerID)...)
		}
		containers("kube_pod_init_container", name, pod.Status.InitContainerStatuses, out)
	}
}

func containers(prefix string, pod labels, statuses []core.ContainerStatus, out *series) {
	for _, status := range statuses {
		name := append(slices.Clone(pod), "container", status.Name)
		out.add(prefix+"_status_restarts_total", float64(status.RestartCount), name...)
		out.add(prefix+"_status_ready", number(status.Ready), name...)
		out.add(prefix+"_status_running", number(status.State.Running != nil), name...)
		out.add(prefix+"_status_waiting", number(status.State.Waiting != nil), name...)
		out.add(prefix+"_status_terminated", number(status.State.Terminated != nil), name...)
		if waiting := status.State.Waiting; waiting != nil {
			out.add(prefix+"_status_waiting_reason", 1, append(slices.Clone(name), "reason", waiting.Reason)...)
		}
		if terminated := status.State.Terminated; terminated != nil {
			out.add(prefix+"_status_terminated_reason", 1, append(slices.Clone(name), "reason", terminated.Reason)...)
		}
		if last := status.LastTerminationState.Terminated; last != nil {
			out.add(prefix+"_status_last_terminated_reason", 1, append(slices.Clone(name), "reason", last.Reason)...)
		}
	}
}

func deployments(list apps.DeploymentList, out *series) {
	for _, deployment := range list.Items {
		name, status := labels{"namespace", deployment.Namespace, "deployment", deployment.Name}, deployment.Status
		out.add("kube_deployment_spec_replicas", pointer(deployment.Spec.Replicas, 1), name...)
		out.add("kube_deployment_spec_paused", number(deployment.Spec.Paused), name...)
		out.add("kube_deployment_metadata_generation", float64(deployment.Generation), name...)
		out.add("kube_deployment_status_observed_generation", float64(status.ObservedGeneration), name...)
		out.add("kube_deployment_status_replicas", float64(status.Replicas), name...)
		out.add("kube_deployment_status_replicas_ready", float64(status.ReadyReplicas), name...)
		out.add("kube_deployment_status_replicas_available", float64(status.AvailableReplicas), name...)
		out.add("kube_deployment_status_replicas_unavailable", float64(status.UnavailableReplicas), name...)
		out.add("kube_deployment_status_replicas_updated", float64(status.UpdatedReplicas), name...)
		for _, condition := range status.Conditions {
			pairs := append(slices.Clone(name), "reason", condition.Reason, "condition", string(condition.Type))
			current := strings.ToLower(string(condition.Status))
			out.addEach("kube_deployment_status_condition", "status", current, statuses, pairs...)
		}
	}
}

func statefulSets(list apps.StatefulSetList, out *series) {
	for _, set := range list.Items {
		name, status := labels{"namespace", set.Namespace, "statefulset", set.Name}, set.Status
		out.add("kube_statefulset_replicas", pointer(set.Spec.Replicas, 1), name...)
		out.add("kube_statefulset_status_replicas", float64(status.Replicas), name...)
		out.add("kube_statefulset_status_replicas_ready", float64(status.ReadyReplicas), name...)
		out.add("kube_statefulset_status_replicas_available", float64(status.AvailableReplicas), name...)
		out.add("kube_statefulset_status_replicas_updated", float64(status.UpdatedReplicas), name...)
	}
}

func daemonSets(list apps.DaemonSetList, out *series) {
	for _, set := range list.Items {
		name, status := labels{"namespace", set.Namespace, "daemonset", set.Name}, set.Status
		out.add("kube_daemonset_status_desired_number_scheduled", float64(status.DesiredNumberScheduled), name...)
		out.add("kube_daemonset_status_current_number_scheduled", float64(status.CurrentNumberScheduled), name...)
		out.add("kube_daemonset_status_number_ready", float64(status.NumberReady), name...)
		out.add("kube_daemonset_status_number_available", float64(status.NumberAvailable), name...)
		out.add("kube_daemonset_status_number_unavailable", float64(status.NumberUnavailable), name...)
		out.add("kube_daemonset_status_number_misscheduled", float64(status.NumberMisscheduled), name...)
		out.add("kube_daemonset_status_updated_number_scheduled", float64(status.UpdatedNumberScheduled), name...)
	}
}

func jobs(list batch.JobList, out *series) {
	for _, job := range list.Items {
		name, status := labels{"namespace", job.Namespace, "job_name", job.Name}, job.Status
		out.add("kube_job_info", 1, name...)
		out.addTime("kube_job_created", job.CreationTimestamp.Time, name...)
		out.add("kube_job_status_active", float64(status.Active), name...)
		out.add("kube_job_status_succeeded", float64(status.Succeeded), name...)
		// kube-state-metrics adds a label with the reason of the failure.
		if status.Failed == 0 {
			out.add("kube_job_status_failed", 0, append(slices.Clone(name), "reason", "")...)
		} else {
			out.add("kube_job_status_failed", float64(status.Failed), append(slices.Clone(name), "reason", failure(job))...)
		}
		if status.StartTime != nil {
			out.addTime("kube_job_status_start_time", status.StartTime.Time, name...)
		}
		if status.CompletionTime != nil {
			out.addTime("kube_job_status_completion_time", status.CompletionTime.Time, name...)
		}
		for _, condition := range status.Conditions {
			current := strings.ToLower(string(condition.Status))
			switch condition.Type {
			case batch.JobFailed:
				out.addEach("kube_job_failed", "condition", current, statuses, name...)
			case batch.JobComplete:
				out.addEach("kube_job_complete", "condition", current, statuses, name...)
			}
		}
	}
}

func cronJobs(list batch.CronJobList, out *series) {
	for _, cronJob := range list.Items {
		name, status := labels{"namespace", cronJob.Namespace, "cronjob", cronJob.Name}, cronJob.Status
		out.add("kube_cronjob_info", 1, append(slices.Clone(name), "schedule", cronJob.Spec.Schedule,
			"concurrency_policy", string(cronJob.Spec.ConcurrencyPolicy))...)
		out.addTime("kube_cronjob_created", cronJob.CreationTimestamp.Time, name...)
		out.add("kube_cronjob_status_active", float64(len(status.Active)), name...)
		out.add("kube_cronjob_spec_suspend", number(cronJob.Spec.Suspend != nil && *cronJob.Spec.Suspend), name...)
		if status.LastScheduleTime != nil {
			out.addTime("kube_cronjob_status_last_schedule_time", status.LastScheduleTime.Time, name...)
		}
		if status.LastSuccessfulTime != nil {
			out.addTime("kube_cronjob_status_last_successful_time", status.LastSuccessfulTime.Time, name...)
		}
	}
}

func failure(job batch.Job) string {
	for _, condition := range job.Status.Conditions {
		if condition.Type == batch.JobFailed {
			return condition.Reason
		}
	}
	return ""
}

func autoscalers(list autoscaling.HorizontalPodAutoscalerList, out *series) {
	for _, autoscaler := range list.Items {
		name := labels{"namespace", autoscaler.Namespace, "horizontalpodautoscaler", autoscaler.Name}
		status := autoscaler.Status
		out.add("kube_horizontalpodautoscaler_spec_max_replicas", float64(autoscaler.Spec.MaxReplicas), name...)
		out.add("kube_horizontalpodautoscaler_spec_min_replicas", pointer(autoscaler.Spec.MinReplicas, 1), name...)
		out.add("kube_horizontalpodautoscaler_status_current_replicas", float64(status.CurrentReplicas), name...)
		out.add("kube_horizontalpodautoscaler_status_desired_replicas", float64(status.DesiredReplicas), name...)
		for _, condition := range status.Conditions {
			pairs := append(slices.Clone(name), "condition", string(condition.Type))
			current := strings.ToLower(string(condition.Status))
			out.addEach("kube_horizontalpodautoscaler_status_condition", "status", current, statuses, pairs...)
		}
	}
}

var claimPhases = []string{"Lost", "Bound", "Pending"}

func claims(list core.PersistentVolumeClaimList, out *series) {
	for _, claim := range list.Items {
		name := labels{"namespace", claim.Namespace, "persistentvolumeclaim", claim.Name}
		out.addEach("kube_persistentvolumeclaim_status_phase", "phase", string(claim.Status.Phase), claimPhases, name...)
	}
}
