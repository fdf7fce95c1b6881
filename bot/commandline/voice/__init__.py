"""`recado voice`, one file a job."""
