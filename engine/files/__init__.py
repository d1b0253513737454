"""How do bytes reach the disk safely, and how are the files people write read strictly?"""
