"""What Microsoft.Compute's resources are and which rules they keep. Answers no request.

May import: ``network`` and below.
"""
