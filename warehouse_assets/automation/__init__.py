"""What a team leaves running: runs that wait for their turn, processes that run them, and who sees to it that none is lost."""
