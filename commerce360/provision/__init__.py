"""What a fresh set of servers needs before data flows, from `Settings` alone, wherever they are. All of it may be repeated."""
