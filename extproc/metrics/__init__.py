"""What a worker counts of its requests, and how brightstaff gets to know."""
