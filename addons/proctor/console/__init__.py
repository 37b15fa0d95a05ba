"""The reviewer's page, and the API that the command line uses."""
