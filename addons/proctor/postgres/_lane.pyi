from proctor.postgres.lane import Lane as Lane
