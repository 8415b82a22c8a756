"""Soak: whether memory and descriptors of an agent stay what they were, as `make soak`.

Containers come and go, each with its share of 1,000 connections a second on its own loopback,
while the agent is weighed every few seconds. The verdict is the exit code.
"""
