"""Who is on duty: plan, week, special periods, notices."""
