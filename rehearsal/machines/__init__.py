"""Simulated machines. The simulated cloud boots one when it creates a server, and removes it with the server.

A machine consists of a folder, which is its disk, and of processes. The user data of the server writes files below the
folder, and scripts of the node run with ROOT set to it. A replacement for the k3s binary (`k3s.py`) starts a real etcd
and a real control plane, which listen on the addresses of the machine: addresses of the loopback interface.
"""
