"""What upstream has: repodata fetched conditionally, decoded once into columns, reopened by memory map."""
