"""`python -m tests.bench.public`."""

from tests.bench.public.run import main

main()
