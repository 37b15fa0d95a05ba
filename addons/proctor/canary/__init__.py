"""Values that open nothing, planted to be stolen: where one turns up, somebody carries it out."""
