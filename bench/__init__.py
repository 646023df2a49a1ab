"""The performance suite: dagfs beside its peers on the same work. Nothing here is asserted in tests."""
