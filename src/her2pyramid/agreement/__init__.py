"""How far readers agree: with each other, with the others' consensus, with themselves."""
