"""A tiny upstream made on the spot, so that the whole job runs offline in a minute."""
