"""Removes a node in the order in which it leaves the cluster: records, pods, etcd member, server, firewall."""
