"""What the next `up` does to workloads that the program does not declare.

An `up` changes none of them, but it creates policies for images, pods, connections and resources. A workload that a
policy refuses runs until its pods restart. Each module compares the workload with one kind of policy in the plan.
"""
