"""From a selection of the graph to tables: plan, run state, executors, and `materialize`."""
