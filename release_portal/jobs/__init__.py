"""The only door to the worker: submit, permit, relay, cancel; and the one owner of a job's end."""
