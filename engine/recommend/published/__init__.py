"""What did training publish, as serving holds it?"""
