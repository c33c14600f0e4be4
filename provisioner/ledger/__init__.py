"""The durable record of campaigns, jobs and attempts."""
