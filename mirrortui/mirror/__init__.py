"""The tree: layout, store, inventory of verified files, plan, publish, prune."""
