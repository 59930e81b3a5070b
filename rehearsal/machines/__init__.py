"""Machines that boot when the simulated cloud creates a server: their disks, their k3s, their ends.

A machine is a folder and processes. What its user data writes lies below the folder, its scripts run there with ROOT set, and
what stands for the k3s binary starts a real etcd and a real control plane at the machine's own addresses of loopback.
"""
